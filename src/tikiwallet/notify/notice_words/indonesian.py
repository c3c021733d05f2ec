"""Notices in Indonesian."""

from typing import Final

from tikiwallet.notify.notice_words.words import Words

UNKNOWN: Final = {"device": "perangkat tidak dikenal", "address": "alamat tidak dikenal"}
WORDS: Final[dict[str, Words]] = {
    "signed_in": Words(
        "Masuk baru di {device}",
        "Seseorang masuk ke dompet Anda di {device}, dari {address}. Jika itu bukan Anda, "
        "keluarkan perangkat itu di Keamanan dan ubah kata sandi Anda.",
    ),
    "refresh_reused": Words(
        "Sebuah sesi diakhiri",
        "Salinan salah satu sesi Anda dipakai di {device}, jadi sesi itu diakhiri. Jika "
        "Anda tidak memindahkan data ke ponsel baru, ubah kata sandi Anda.",
    ),
    "password_changed": Words(
        "Kata sandi diubah",
        "Kata sandi Anda diubah di {device}, dan semua sesi lain diakhiri.",
    ),
    "pin_set": Words(
        "PIN dibuat",
        "PIN pembayaran dibuat di {device}. Jika itu bukan Anda, hapus PIN itu di Keamanan dan "
        "ubah kata sandi Anda.",
    ),
    "pin_changed": Words(
        "PIN diubah",
        "PIN pembayaran Anda diubah di {device}.",
    ),
    "pin_locked": Words(
        "PIN terkunci",
        "PIN salah lima kali di {device}. Tunjukkan di Keamanan bahwa ini Anda untuk "
        "membuat PIN baru.",
    ),
    "pin_reset": Words(
        "PIN dihapus",
        "PIN pembayaran Anda dihapus di {device}. Selama sehari hanya jumlah kecil yang "
        "dapat dibayar.",
    ),
    "pin_threshold_changed": Words(
        "Batas PIN diubah",
        "Jumlah yang dapat dibayar tanpa PIN Anda diubah di {device}.",
    ),
    "totp_on": Words(
        "Aplikasi autentikator ditambahkan",
        "Disiapkan di {device}.",
    ),
    "totp_off": Words(
        "Aplikasi autentikator dihapus",
        "Dihapus di {device}.",
    ),
    "sms_factor_on": Words(
        "Kode lewat SMS aktif",
        "Sekarang kode lewat SMS diminta saat masuk.",
    ),
    "sms_factor_off": Words(
        "Kode lewat SMS mati",
        "Kode lewat SMS tidak lagi diminta saat masuk, sesuai pilihan di {device}.",
    ),
    "passkey_added": Words(
        "Kunci sandi ditambahkan",
        "Sebuah kunci sandi ditambahkan di {device}.",
    ),
    "passkey_removed": Words(
        "Kunci sandi dihapus",
        "Sebuah kunci sandi dihapus di {device}.",
    ),
    "recovery_codes_made": Words(
        "Kode pemulihan baru",
        "Kode pemulihan yang lama tidak berlaku lagi. Yang baru dibuat di {device}.",
    ),
    "recovery_code_used": Words(
        "Kode pemulihan dipakai",
        "Salah satu kode pemulihan Anda dipakai di {device}.",
    ),
    "identity_linked": Words(
        "Akun untuk masuk ditautkan",
        "Akun lain sekarang dapat masuk ke dompet Anda. Ditautkan di {device}.",
    ),
    "identity_unlinked": Words(
        "Tautan akun dilepas",
        "Sebuah akun tertaut tidak dapat masuk lagi. Tautannya dilepas di {device}.",
    ),
    "recovery_begun": Words(
        "Pemulihan dimulai",
        "Seseorang di {device}, dari {address}, sedang memulihkan dompet Anda dan dapat "
        "membuat kata sandi baru setelah masa tunggu berakhir. Jika itu bukan Anda, "
        "hentikan sekarang di Keamanan.",
    ),
    "recovery_cancelled": Words(
        "Pemulihan dihentikan",
        "Dihentikan di {device}; tidak ada yang berubah.",
    ),
    "recovery_completed": Words(
        "Dompet dipulihkan",
        "Kata sandi baru dibuat di {device} dan semua sesi lain diakhiri. Selama sehari "
        "hanya jumlah kecil yang dapat dibayar.",
    ),
    "phone_change_asked": Words(
        "Perubahan nomor diminta",
        "Di {device} seseorang meminta memindahkan dompet Anda ke nomor yang berakhiran "
        "{ends}. Jika itu bukan Anda, batalkan di Keamanan dan ubah kata sandi Anda.",
    ),
    "phone_change_begun": Words(
        "Nomor Anda akan berubah",
        "Dompet Anda pindah ke nomor yang berakhiran {ends} dalam {hours} jam. Jika Anda "
        "tidak menginginkannya, batalkan di Keamanan.",
    ),
    "phone_change_cancelled": Words(
        "Perubahan nomor dibatalkan",
        "Nomor Anda tetap sama.",
    ),
    "phone_change_failed": Words(
        "Perubahan nomor gagal",
        "Nomor itu kini punya dompet sendiri. Nomor Anda tetap sama.",
    ),
    "phone_changed": Words(
        "Nomor diubah",
        "Nomor dompet Anda sekarang berakhiran {ends}. Selama sehari hanya jumlah kecil "
        "yang dapat dibayar.",
    ),
    "offline_device_added": Words(
        "Perangkat uang offline ditambahkan",
        "Di {device}, sebuah perangkat disiapkan untuk membayar tanpa internet. Jika bukan Anda, "
        "cabut perangkat itu dan ganti kata sandi Anda.",
    ),
    "offline_device_revoked": Words(
        "Perangkat uang offline dicabut",
        "Perangkat itu dicabut di {device}. Pembayaran darinya tidak diterima lagi; sisanya "
        "kembali ke dompet Anda.",
    ),
    "offline_device_frozen": Words(
        "Sebuah perangkat menandatangani dua kali",
        "Perangkat Anda menandatangani dua hal yang saling bertentangan. Ini terjadi bila ponsel "
        "dipulihkan dari cadangan, atau kuncinya disalin. Sampai seseorang memeriksanya, semua "
        "perangkat Anda tidak mendapat uang offline lagi dan perangkat lain tidak dapat "
        "ditambahkan. Pembayaran online tetap seperti biasa. Siapa pun yang Anda bayar tetap "
        "dibayar, bila perlu dari dompet Anda.",
    ),
    "offline_device_thawed": Words(
        "Perangkat uang offline berfungsi lagi",
        "Seseorang telah memeriksanya: selama tidak ada perangkat lain yang dihentikan, "
        "perangkat Anda dapat memuat uang offline lagi. Izin bayar yang lama tetap "
        "berakhir; sisanya kembali ke dompet Anda.",
    ),
    "offline_debt_begun": Words(
        "Anda berutang untuk pembayaran offline",
        "Sebuah pembayaran offline Anda tidak tertutup seluruhnya, atau Anda membatalkannya "
        "setelah dibayar. Anda berutang {amount}; jumlah itu diambil dari dompet Anda begitu ada "
        "uang masuk. Sebelum lunas, akun Anda tidak dapat ditutup.",
    ),
    "offline_debt_paid": Words(
        "Utang pembayaran offline lunas",
        "{amount} yang Anda utang telah diambil dari dompet Anda. Utang itu sudah tidak bersisa.",
    ),
    "offline_debt_ended": Words(
        "Utang pembayaran offline berakhir",
        "{amount} yang Anda utang tidak ditagih lagi.",
    ),
    "exported": Words(
        "Data akun diekspor",
        "Salinan semua data Anda dibuat di {device}, dari {address}.",
    ),
}
