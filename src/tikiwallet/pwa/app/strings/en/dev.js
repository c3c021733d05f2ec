// The developers' page of the sandbox.
export default {
  "dev.title": "Sandbox",
  "dev.text": "No real messages or money. What a phone would have received is here.",
  "dev.inbox": "Messages",
  "dev.look": "Show its messages",
  "dev.nothing": "No message yet",
  "dev.nothing.text": "This page looks every few seconds.",
  "dev.cards": "Test cards",
  "dev.card.ok": "Succeeds",
  "dev.card.asks": "The bank asks the person first",
  "dev.card.declined": "Declined",
  "dev.card.empty": "Declined: insufficient funds",
  "dev.card.expired": "Declined: expired card",
  "dev.docs": "API documentation",
  "dev.metrics": "Metrics",
};
