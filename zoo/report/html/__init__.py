"""One self-contained HTML page: tables to sort and filter, pictures to zoom, no network."""
