"""The demo's raw downloads: what is in the folder, how it looks and how it is tagged."""
