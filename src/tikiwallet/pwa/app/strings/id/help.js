/** @type {import("../../core/i18n.js").Translation<import("../../core/i18n.js").HelpWords>} */
export default {
  "help.title": "Bantuan",
  "help.money": "Membayar dan dibayar",
  "help.safety": "Tetap aman",
  "help.app": "Aplikasi",
  "help.q.pay": "Bagaimana cara membayar seseorang?",
  "help.a.pay":
    "Ketuk Bayar, masukkan nomor telepon atau @nama atau pindai kode QR, lalu jumlahnya. Kami menampilkan nama pemiliknya. Jika benar, konfirmasikan.",
  "help.q.wrong": "Saya salah membayar orang. Bagaimana?",
  "help.a.wrong":
    "Pembayaran langsung final, jadi kami tidak dapat menariknya kembali. Buka di Aktivitas dan minta orangnya mengembalikan; struk menunjukkan apa yang terjadi.",
  "help.q.pending": "Pembayaran tidak selesai. Apakah berhasil?",
  "help.a.pending":
    "Lihat di Aktivitas: yang tidak ada di sana tidak terjadi. Mencoba lagi itu aman, aplikasi tidak pernah mengirim pembayaran yang sama dua kali.",
  "help.q.fees": "Berapa biayanya?",
  "help.a.fees": "Membayar orang lain tidak dikenai biaya. Jika ada biaya, Anda melihatnya sebelum mengonfirmasi.",
  "help.q.proof": "Bagaimana membuktikan bahwa saya sudah membayar?",
  "help.a.proof":
    "Buka pembayarannya dan bagikan struknya. Di dalamnya ada bukti bertanda tangan dari buku besar kami yang dapat diperiksa siapa pun, tanpa harus memercayai kami.",
  "help.q.codes": "Seseorang meminta kode atau PIN saya",
  "help.a.codes":
    "Jangan pernah memberikannya. Kami tidak memintanya lewat telepon, obrolan, atau pesan, dan orang jujur pun tidak.",
  "help.q.pin": "Saya lupa PIN",
  "help.a.pin":
    "Di Anda, Keamanan, PIN pembayaran ada “Saya lupa PIN”. Anda menunjukkan bahwa itu benar Anda, lalu memilih PIN baru.",
  "help.q.lost": "Ponsel saya hilang",
  "help.a.lost":
    "Masuk di perangkat lain, buka Anda, Keamanan, Perangkat, lalu keluarkan yang hilang. Dalam sedetik ia tidak berfungsi lagi. Setelah itu ubah kata sandi Anda.",
  "help.q.password": "Saya lupa kata sandi",
  "help.a.password":
    "Ketuk “Lupa kata sandi?” saat masuk. Tanpa langkah kedua ada masa tunggu, agar tidak ada yang melakukannya diam-diam.",
  "help.q.stranger": "Saya melihat perangkat atau pembayaran yang bukan milik saya",
  "help.a.stranger": "Keluarkan semua perangkat lain di Anda, Keamanan, Perangkat, lalu ubah kata sandi dan PIN Anda.",
  "help.q.offline": "Apa yang berfungsi tanpa jaringan?",
  "help.a.offline":
    "Saldo dan aktivitas terakhir seperti saat itu, lengkap dengan waktunya. Dan dengan uang yang disisihkan di Uang luring Anda membayar dan menerima dengan menunjukkan kode.",
  "help.q.install": "Bisakah saya memasangnya?",
  "help.a.install":
    "Bisa. Di Anda, Pengaturan ada tombol Pasang jika peramban mengizinkan; di Safari gunakan Bagikan, “Tambah ke Layar Utama”.",
  "help.q.language": "Bisakah saya mengubah bahasa atau tema?",
  "help.a.language": "Di Anda, Pengaturan. Aplikasi mengikuti perangkat Anda sampai Anda memilih.",
  "help.q.private": "Apa yang kalian ketahui tentang saya?",
  "help.a.private":
    "Nomor telepon, nama, dan pembayaran Anda; nama, nomor, dan pesan disimpan terenkripsi. Di Anda, Profil Anda dapat mengunduh semuanya.",
  "help.q.leave": "Bagaimana cara berhenti?",
  "help.a.leave": "Kosongkan dompet Anda, lalu Anda, Profil, “Tutup akun saya”.",
  "help.api": "Untuk pengembang",
  "help.api.text": "API yang sama dengan yang dipakai aplikasi ini",
  "help.dev": "Halaman sandbox",
  "help.dev.text": "Pesan dan kartu uji",
};
