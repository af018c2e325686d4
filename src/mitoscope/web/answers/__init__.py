"""The forms of all answers in JSON, one concept a file: the description of the API is made of them.

Coordinates, widths and heights are level-0 pixels of the slide and times are seconds since 1970, unless a
class says otherwise. Each answer is checked against its form before it is sent, but for the large ones that
are sent as they are: the cells of a slide, a board, and a signed result with its cells.
"""
