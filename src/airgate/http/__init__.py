"""The server: one package per dialect, the page for a browser, and the little machinery they share."""
