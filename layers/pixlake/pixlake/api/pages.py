"""The page: one HTML file with its style and script inside, which may load nothing but this server's answers."""

from importlib.resources import files

from pixlake.pages.policy import Page, read_look, write_policy

_SCRIPTS = ("state.js", "filters.js", "images.js", "lists.js", "start.js")


def make_page() -> Page:
    """The page, its look that of a report."""
    parts = files("pixlake.api") / "page"
    style = read_look() + (parts / "page.css").read_text("utf-8")
    script = "".join((parts / name).read_text("utf-8") for name in _SCRIPTS)
    html = (parts / "page.html").read_text("utf-8").replace("/*style*/", style).replace("/*script*/", script)
    sources = ["img-src 'self' blob: data:", "connect-src 'self'", "frame-ancestors 'none'"]
    return Page(html, write_policy(style, script, *sources))
