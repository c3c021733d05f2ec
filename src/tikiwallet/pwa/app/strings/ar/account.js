/** @type {import("../../core/i18n.js").Translation<import("../../core/i18n.js").AccountWords>} */
export default {
  "you.title": "حسابي",
  "you.sign-out": "تسجيل الخروج",
};
