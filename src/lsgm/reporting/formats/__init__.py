"""How tables and pages are written: Markdown, LaTeX, HTML."""
