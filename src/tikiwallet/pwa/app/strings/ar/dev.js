/** @type {import("../../core/i18n.js").Translation<import("../../core/i18n.js").DevWords>} */
export default {};
