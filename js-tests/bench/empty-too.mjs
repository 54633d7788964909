// Another module that does nothing, to measure the rest against.
