"""An immutable release: its rows, its digest and the documents that go with it."""
