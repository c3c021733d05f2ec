/** @type {import("../../core/i18n.js").Translation<import("../../core/i18n.js").DevWords>} */
export default {
  "dev.title": "البيئة التجريبية",
  "dev.text": "لا رسائل ولا أموال حقيقية. ما كان سيصل إلى الهاتف موجود هنا.",
  "dev.inbox": "الرسائل",
  "dev.look": "اعرض رسائله",
  "dev.nothing": "لا رسائل بعد",
  "dev.nothing.text": "تتحقق هذه الصفحة كل بضع ثوانٍ.",
  "dev.cards": "بطاقات الاختبار",
  "dev.card.ok": "تنجح",
  "dev.card.asks": "يسأل البنك الشخص أولًا",
  "dev.card.declined": "مرفوضة",
  "dev.card.empty": "مرفوضة: الرصيد غير كافٍ",
  "dev.card.expired": "مرفوضة: البطاقة منتهية",
  "dev.docs": "توثيق الواجهة",
  "dev.metrics": "المقاييس",
};
