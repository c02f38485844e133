"""Sphinx extension: a page that many numbered references lead to is unpickled once, and not for each of them.

Sphinx reads the whole page of a target anew for every ``{numref}`` (sphinx-doc/sphinx#12883), which was two thirds of
the time of a build. A reference only looks at its target, so all of them can look at one copy.
"""

from sphinx.domains.std import StandardDomain


class _OneCopy:
    """An environment whose ``get_doctree`` gives the same copy of a page each time, which nobody may change."""

    def __init__(self, env):
        self._env = env
        self._pages = {}

    def __getattr__(self, name):
        return getattr(self._env, name)

    def get_doctree(self, docname):
        """Return a page as it was read."""
        if docname not in self._pages:
            self._pages[docname] = self._env.get_doctree(docname)
        return self._pages[docname]


class QuickDomain(StandardDomain):
    """The standard domain, with one copy of each page for all references of a build."""

    _copies = None

    def resolve_xref(self, env, fromdocname, builder, typ, target, node, contnode):
        """Return the link that a reference becomes."""
        if typ == "numref":
            if self._copies is None:
                self._copies = _OneCopy(env)
            env = self._copies
        return super().resolve_xref(env, fromdocname, builder, typ, target, node, contnode)


def setup(app):
    """Tell Sphinx about the extension."""
    app.add_domain(QuickDomain, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
