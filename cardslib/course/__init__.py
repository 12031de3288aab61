"""What makes notebooks a course; a reader of the models may skip this folder whole.  In reading order:

    exercises  what the checks of the exercises are made of: ask an answer something new, say what is wrong with it
    release    the exercises as students get them, from the solved ones
    site       lectures and explorers as pages that need neither Python nor a network
"""
