/** @type {import("../../core/i18n.js").Translation<import("../../core/i18n.js").DevWords>} */
export default {
  "dev.title": "Sandbox",
  "dev.text": "Tanpa pesan atau uang sungguhan. Yang seharusnya diterima ponsel ada di sini.",
  "dev.inbox": "Pesan",
  "dev.look": "Tampilkan pesannya",
  "dev.nothing": "Belum ada pesan",
  "dev.nothing.text": "Halaman ini memeriksa setiap beberapa detik.",
  "dev.cards": "Kartu uji",
  "dev.card.ok": "Berhasil",
  "dev.card.asks": "Bank bertanya dulu kepada pemiliknya",
  "dev.card.declined": "Ditolak",
  "dev.card.empty": "Ditolak: dana tidak cukup",
  "dev.card.expired": "Ditolak: kartu kedaluwarsa",
  "dev.docs": "Dokumentasi API",
  "dev.metrics": "Metrik",
};
