"""Reports: rows -> tables and sentences; pure functions of rows."""
