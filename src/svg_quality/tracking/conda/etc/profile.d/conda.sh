# Sourced by bash before the entry point's command, in place of conda's own conda.sh.
# `conda activate NAME` puts the Python that started MLflow first on PATH, and says so.
conda() {
    [ "$1" = "activate" ] || return 1
    [ -n "$SVG_QUALITY_PYTHON_PATH" ] && export PATH="$SVG_QUALITY_PYTHON_PATH:$PATH"
    export SVG_QUALITY_ENV_MANAGER=local
}
