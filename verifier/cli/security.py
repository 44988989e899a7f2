"""`pegproof security`: every soundness term, its bits and its source."""

from __future__ import annotations

import click

from verifier.cli.output import emit, json_option, reports_errors, show_table
