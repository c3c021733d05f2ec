"""Text messages in Indonesian."""

from typing import Final

from tikiwallet.identity.codes import Purpose

TEXTS: Final[dict[Purpose, str]] = {
    Purpose.REGISTER: (
        "{code} adalah kode TikiWallet Anda, berlaku 5 menit. Kami tidak pernah memintanya lewat "
        "telepon atau chat."
    ),
    Purpose.SECOND_FACTOR: (
        "{code} adalah kode untuk masuk ke TikiWallet, berlaku 5 menit. Jika Anda tidak sedang "
        "masuk, ada yang tahu kata sandi Anda: ubahlah."
    ),
    Purpose.STEP_UP: (
        "{code} mengonfirmasi perubahan keamanan TikiWallet Anda, berlaku 5 menit. Bukan Anda? "
        "Ada yang memakai akun Anda: keluarkan di Keamanan."
    ),
    Purpose.ALREADY_REGISTERED: (
        "Seseorang mencoba mendaftar di TikiWallet dengan nomor Anda. Anda sudah punya dompet: "
        "masuklah dengan kata sandi Anda. Jika itu bukan Anda, abaikan saja."
    ),
    Purpose.RECOVER: (
        "{code} adalah kode untuk memulihkan TikiWallet Anda, berlaku 5 menit. Siapa pun yang "
        "memilikinya dapat mengambil dompet Anda: jangan berikan."
    ),
    Purpose.RECOVER_UNKNOWN: (
        "Seseorang mencoba memulihkan TikiWallet dengan nomor Anda, tetapi tidak ada dompetnya. "
        "Jika itu bukan Anda, abaikan saja."
    ),
    Purpose.RECOVERY_BEGUN: "Pemulihan TikiWallet Anda dimulai. Bukan Anda? Hentikan: {link}",
    Purpose.RECOVERED: (
        "TikiWallet Anda telah dipulihkan: kata sandinya baru, dan semua sesi lain diakhiri."
    ),
    Purpose.CHANGE_PHONE: (
        "{code} mengonfirmasi nomor ini untuk TikiWallet Anda, berlaku 5 menit. Kami tidak pernah "
        "memintanya lewat telepon atau chat."
    ),
    Purpose.CHANGE_PHONE_TAKEN: (
        "Seseorang mencoba memindahkan TikiWallet-nya ke nomor Anda, yang sudah punya dompet "
        "sendiri. Jika itu bukan Anda, abaikan saja."
    ),
    Purpose.LEAVE_PHONE: (
        "{code} langsung memindahkan TikiWallet Anda ke nomor lain (5 mnt). Bukan Anda? Hentikan: "
        "{link}"
    ),
    Purpose.PHONE_CHANGED: "TikiWallet Anda punya nomor baru.",
    Purpose.PASSWORD_CHANGED: (
        "Kata sandi TikiWallet Anda diubah. Bukan Anda? Pulihkan dompet Anda di aplikasi."
    ),
    Purpose.PIN_RESET: (
        "PIN pembayaran TikiWallet Anda dihapus. Bukan Anda? Pulihkan dompet Anda di aplikasi."
    ),
    Purpose.CLOSED: "TikiWallet Anda ditutup. Nomor Anda bebas dipakai lagi dalam 30 hari.",
}
