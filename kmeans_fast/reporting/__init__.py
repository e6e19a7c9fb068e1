"""A page about a picture in K colours: `making.report` is the entry point, `command` the same from the shell.

The road: `making` quantizes the picture, with a `Trace` as callback, and measures what is shown; `pictures` makes small
pictures of large ones, `chart` draws the convergence, and `page` puts it all into the files of ``template``. The page
is one file that loads nothing: its pictures are data URLs, its script draws on a canvas what is in a JSON island.
"""
