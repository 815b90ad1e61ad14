"""Joins the `rst-record/1` lines of many hosts: which service resets whom, and who in between."""

__version__ = "0.1.0"
