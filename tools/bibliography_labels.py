"""Sphinx extension: the list of references names its entries as the text does, by authors and year.

The usual labels are made of initials, as in [AKB16], and nobody finds "Appleyard et al., 2016" by them.
"""

from pybtex.plugin import register_plugin
from pybtex.richtext import Text
from pybtex.style.formatting.unsrt import Style
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting import BaseSortingStyle


def last_name(person):
    """Return the last name of a person, without the marks of LaTeX."""
    return str(Text.from_latex(" ".join(person.prelast_names + person.last_names)))


def label(entry):
    """Return authors and year: one or two names, or the first of more."""
    names = [last_name(person) for person in entry.persons["author"]]
    authors = " and ".join(names) if len(names) < 3 and "others" not in names else f"{names[0]} et al."
    return f"{authors}, {entry.fields['year']}"


class AuthorYearLabels(BaseLabelStyle):
    """Labels by authors and year."""

    def format_labels(self, sorted_entries):
        """Return the labels of all entries, which must differ."""
        labels = [label(entry) for entry in sorted_entries]
        assert len(set(labels)) == len(labels), labels
        return labels


class LabelOrder(BaseSortingStyle):
    """Order by labels."""

    def sorting_key(self, entry):
        """Return what an entry is sorted by."""
        return label(entry).lower().removeprefix("the ")


class AuthorYearStyle(Style):
    """Entries with labels by authors and year, in the order of these."""

    default_label_style = AuthorYearLabels
    default_sorting_style = LabelOrder


def setup(app):
    """Make the style known as ``author_year``."""
    register_plugin("pybtex.style.formatting", "author_year", AuthorYearStyle)
    app.setup_extension("sphinxcontrib.bibtex")
    app.config.bibtex_default_style = "author_year"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
