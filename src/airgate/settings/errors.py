"""What is wrong with settings."""

from __future__ import annotations


class SettingsError(Exception):
    """A setting cannot be used. The message is one line that names the value, where it came from, and what is right."""
