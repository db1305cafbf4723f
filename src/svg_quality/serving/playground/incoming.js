// Logos that come to the page: dropped, picked or pasted.

/** Whether hardly any browser draws such a file. */
export const isTiff = ({ name, type }) => type === "image/tiff" || /\.tiff?$/i.test(name);

/** Call `take` with each file that comes. */
export function receiveFiles(take) {
  const picker = document.getElementById("file");
  const offer = (files) => files?.length && take(files[0]);
  picker.addEventListener("change", () => {
    offer([...picker.files]);
    picker.value = ""; // so that the same file can be picked again
  });
  document.addEventListener("paste", (event) => offer(event.clipboardData?.files));
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    offer(event.dataTransfer.files);
  });
}
