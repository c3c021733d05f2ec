// Short answers to what people ask.
export default {
  "help.title": "Help",
  "help.money": "Paying and being paid",
  "help.safety": "Staying safe",
  "help.app": "The app",
  "help.q.pay": "How do I pay somebody?",
  "help.a.pay":
    "Tap Pay, enter a phone number or @name or scan a QR code, then the amount. We show the name behind it. If it is the right one, confirm.",
  "help.q.wrong": "I paid the wrong person. What now?",
  "help.a.wrong":
    "A payment is final at once, so we cannot take it back. Open it in Activity and ask the person to send it back; the receipt shows what happened.",
  "help.q.pending": "A payment did not finish. Did it go through?",
  "help.a.pending":
    "Look in Activity: what is not there did not happen. Trying again is safe, the app never sends the same payment twice.",
  "help.q.fees": "What does it cost?",
  "help.a.fees": "Paying other people costs nothing. Where there is a fee you see it before you confirm.",
  "help.q.proof": "How do I prove that I paid?",
  "help.a.proof":
    "Open the payment and share its receipt. It holds a proof signed by our ledger that anybody can check, without trusting us.",
  "help.q.codes": "Somebody asks for my code or PIN",
  "help.a.codes":
    "Never give it away. We do not ask for it by phone, chat or message, and neither does anybody who is honest.",
  "help.q.pin": "I forgot my PIN",
  "help.a.pin": "Under You, Security, Payment PIN there is “I forgot my PIN”. You show that it is you and choose a new one.",
  "help.q.lost": "I lost my phone",
  "help.a.lost":
    "Sign in on another device, open You, Security, Devices and sign the lost one out. It stops working within a second. Then change your password.",
  "help.q.password": "I forgot my password",
  "help.a.password":
    "Tap “Forgot your password?” when you sign in. Without a second step there is a wait, so that nobody can do it behind your back.",
  "help.q.stranger": "I see a device or payment that is not mine",
  "help.a.stranger":
    "Sign out all other devices under You, Security, Devices, then change your password and your PIN.",
  "help.q.offline": "What works without a network?",
  "help.a.offline":
    "Your balance and recent activity as they were, with their age. And with money set aside under Offline money you pay and are paid by showing codes.",
  "help.q.install": "Can I install it?",
  "help.a.install":
    "Yes. Under You, Settings there is an Install button where the browser allows it; in Safari use Share, “Add to Home Screen”.",
  "help.q.language": "Can I change language or theme?",
  "help.a.language": "Under You, Settings. The app follows your device until you choose.",
  "help.q.private": "What do you know about me?",
  "help.a.private":
    "Your phone number, your names and your payments; names, numbers and memos are encrypted where they are stored. Under You, Profile you can download all of it.",
  "help.q.leave": "How do I leave?",
  "help.a.leave": "Empty your wallets, then You, Profile, “Close my account”.",
  "help.api": "For developers",
  "help.api.text": "The same API that this app uses",
  "help.dev": "Sandbox page",
  "help.dev.text": "Messages and test cards",
};
