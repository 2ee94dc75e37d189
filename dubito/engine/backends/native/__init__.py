"""The native backend: a kernel in C, with the same bits on every processor that has FMA."""
