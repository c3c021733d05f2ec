/** @type {import("../../core/i18n.js").Translation<import("../../core/i18n.js").DevWords>} */
export default {
  "dev.title": "沙盒",
  "dev.text": "这里没有真实的短信和资金。手机本应收到的内容都在这里。",
  "dev.inbox": "短信",
  "dev.look": "查看收到的短信",
  "dev.nothing": "还没有短信",
  "dev.nothing.text": "此页面每隔几秒刷新一次。",
  "dev.cards": "测试卡",
  "dev.card.ok": "成功",
  "dev.card.asks": "银行会先询问本人",
  "dev.card.declined": "被拒绝",
  "dev.card.empty": "被拒绝：余额不足",
  "dev.card.expired": "被拒绝：卡已过期",
  "dev.docs": "API 文档",
  "dev.metrics": "指标",
};
