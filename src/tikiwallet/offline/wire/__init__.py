"""What travels between devices, and between them and the server: `docs/offline.md` is its
specification. Pure, and the same in the browser."""
