"""No word of a figure is cut off: titles and labels of axes that are too long for their panel are broken into lines."""
from textwrap import wrap

GAP = 6         # pixels left free between the words of neighbouring panels
TRIES = 3       # of placing panels anew
ROUNDING = 0.005   # inches
LINE = 1.3      # font sizes from a line to the next
FEWEST = 8      # letters in a line


def wrap_words(figure):
    """Break titles and labels of axes where they would reach over the edge of a figure or into the next panel.

    The figure grows by the lines of its titles, so that the panels keep their size.
    """
    if figure.get_layout_engine() is None:   # whoever places panels by hand places their words
        return
    figure.draw_without_rendering()          # where panels lie is known only then
    panels = [axes for axes in figure.axes if axes.get_subplotspec()]               # bars of colours are none
    before = [_words(axes) for axes in panels]
    for axes, across, upright in [(axes, _room(axes, panels, 0), _room(axes, panels, 1)) for axes in panels]:
        break_text(axes.title, across)
        break_text(axes.xaxis.label, across)
        break_text(axes.yaxis.label, upright)
    if before == [_words(axes) for axes in panels]:
        return
    lines = {}                               # how many the titles have, by row of panels
    for axes in panels:
        row = axes.figure, axes.get_subplotspec().rowspan.start
        lines[row] = max(lines.get(row, 1), _lines(axes.title))
    more = sum(lines.values()) - len(lines)
    _grow(figure, more * LINE * panels[0].title.get_fontsize() / 72)
    for _ in range(TRIES):                   # what is still missing is known only when all is placed anew
        figure.draw_without_rendering()
        box = figure.get_tightbbox()         # inches
        missing = max(box.y1 - figure.get_figheight(), 0) + max(-box.y0, 0)
        if missing < ROUNDING:
            break
        _grow(figure, 2 * missing)


def _grow(figure, height):
    """Make a figure higher by so many inches."""
    figure.set_size_inches(figure.get_figwidth(), figure.get_figheight() + height)


def break_text(text, room):
    """Break a text into lines of at most `room` pixels, but of no fewer than eight letters."""
    words, letters = text.get_text().split("\n"), max(map(len, text.get_text().split("\n")))
    while letters > FEWEST and (length := _length(text)) > room:
        letters = max(FEWEST, min(letters - 1, int(letters * room / length) + 1))   # letters differ in width: until it fits
        text.set_text("\n".join(part for line in words for part in wrap(line, letters)))


def _room(axes, panels, direction):
    """Pixels that words centred on axes may take along x (0) or y (1): to the edges of the figure, or half of the way to the
    next of the panels beside it."""
    low, high = _extent(axes, direction)
    start, end = _extent(axes, 1 - direction)
    extents = [_extent(other, direction) for other in panels
               if _extent(other, 1 - direction)[0] < end and _extent(other, 1 - direction)[1] > start]
    before = max([(other_high + low) / 2 for _, other_high in extents if other_high <= low], default=0)
    after = min([(high + other_low) / 2 for other_low, _ in extents if other_low >= high],
                default=axes.figure.get_figure(root=True).bbox.size[direction])
    middle = (low + high) / 2
    return 2 * min(middle - before, after - middle) - GAP


def _extent(axes, direction):
    """From where to where axes reach along x (0) or y (1), pixels."""
    return axes.bbox.min[direction], axes.bbox.max[direction]


def _words(axes):
    return axes.get_title(), axes.get_xlabel(), axes.get_ylabel()


def _length(text):
    """Of a text along its lines, pixels."""
    box = text.get_window_extent()
    return box.height if text.get_rotation() == 90 else box.width


def _lines(text):
    return text.get_text().count("\n") + 1
