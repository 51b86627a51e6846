"""What tablets wrote down before the network was asked: entries come here, each is applied once and answered for good.

`kinds.register` says what a kind of entry does; `applying.apply_batch` does it; docs/journal.md says how the promise is kept.
"""
