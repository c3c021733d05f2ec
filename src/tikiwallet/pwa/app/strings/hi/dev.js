/** @type {import("../../core/i18n.js").Translation<import("../../core/i18n.js").DevWords>} */
export default {
  "dev.title": "सैंडबॉक्स",
  "dev.text": "न असली मैसेज, न असली पैसे। फ़ोन पर जो आता, वह यहाँ है।",
  "dev.inbox": "मैसेज",
  "dev.look": "इसके मैसेज दिखाएँ",
  "dev.nothing": "अभी कोई मैसेज नहीं",
  "dev.nothing.text": "यह पेज हर कुछ सेकंड में देखता है।",
  "dev.cards": "टेस्ट कार्ड",
  "dev.card.ok": "सफल होता है",
  "dev.card.asks": "बैंक पहले व्यक्ति से पूछता है",
  "dev.card.declined": "अस्वीकृत",
  "dev.card.empty": "अस्वीकृत: पैसे कम हैं",
  "dev.card.expired": "अस्वीकृत: कार्ड की अवधि खत्म",
  "dev.docs": "API के दस्तावेज़",
  "dev.metrics": "मेट्रिक्स",
};
