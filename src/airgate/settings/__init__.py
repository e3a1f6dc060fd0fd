"""The settings of Airgate: one table of name, type, default and help.

The table is the `Settings` struct itself. A configuration file, the environment, the options of ``airgate up`` and
`docs/configuration.md` all come from it. A value given in two places counts in this order: option, environment
variable, file, default.

A setting ``engine.parallelism`` is ``parallelism`` in the table ``[engine]`` of the file,
``AIRGATE_ENGINE_PARALLELISM`` in the environment and ``--engine-parallelism`` on the command line.
"""

from __future__ import annotations

from airgate.settings.errors import SettingsError
from airgate.settings.groups import HttpSettings, MailSettings, Settings, WebhookSettings
from airgate.settings.loading import FILE_NAME, load
from airgate.settings.table import SECRETS, TABLE, Setting, reference, shown, unknown_variables

__all__ = [
    "FILE_NAME",
    "SECRETS",
    "TABLE",
    "HttpSettings",
    "MailSettings",
    "Setting",
    "Settings",
    "SettingsError",
    "WebhookSettings",
    "load",
    "reference",
    "shown",
    "unknown_variables",
]
