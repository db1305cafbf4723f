"""To storages and back, checked: uploads, exports, backups."""
