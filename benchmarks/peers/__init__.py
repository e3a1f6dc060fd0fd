"""The systems under measurement. Each peer starts from nothing, is driven through its own HTTP API, and leaves nothing behind."""
