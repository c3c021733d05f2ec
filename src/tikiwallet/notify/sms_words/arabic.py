"""Text messages in Arabic.

Phones order them from right to left, some without knowing of isolating characters, and those may
keep a code from being found. So there are none: a link has its own line, and between Latin letters
and a number that follows there are Arabic letters, or the two would be shown as one.
"""

from typing import Final

from tikiwallet.identity.codes import Purpose

TEXTS: Final[dict[Purpose, str]] = {
    Purpose.REGISTER: "{code} رمزك في TikiWallet، صالح 5 دقائق. لن نطلبه منك أبدًا.",
    Purpose.SECOND_FACTOR: ("{code} رمز دخول TikiWallet، صالح 5 دقائق. لست أنت؟ غيّر كلمة المرور."),
    Purpose.STEP_UP: "{code} رمز أمان TikiWallet، صالح 5 دقائق. لست أنت؟ أنهِ تلك الجلسة.",
    Purpose.ALREADY_REGISTERED: (
        "حاول شخص ما التسجيل برقمك في TikiWallet. لديك محفظة: سجّل الدخول بكلمة المرور. "
        "إن لم تكن أنت، فلا داعي لشيء."
    ),
    Purpose.RECOVER: "{code} رمز استرداد TikiWallet، صالح 5 دقائق. لا تعطه لأحد.",
    Purpose.RECOVER_UNKNOWN: (
        "حاول شخص ما استرداد محفظة TikiWallet برقمك، ولا محفظة له. إن لم تكن أنت، فلا داعي لشيء."
    ),
    Purpose.RECOVERY_BEGUN: "بدأ استرداد محفظتك في TikiWallet. لست أنت؟ أوقفه:\n{link}",
    Purpose.RECOVERED: (
        "استُردّت محفظتك في TikiWallet: كلمة المرور جديدة، وأُنهيت كل الجلسات الأخرى."
    ),
    Purpose.CHANGE_PHONE: ("{code} رمز تأكيد هذا الرقم في TikiWallet، صالح 5 دقائق. لا تعطه لأحد."),
    Purpose.CHANGE_PHONE_TAKEN: (
        "حاول شخص ما نقل محفظته في TikiWallet إلى رقمك، ولرقمك محفظة خاصة به. إن لم تكن أنت، "
        "فلا داعي لشيء."
    ),
    Purpose.LEAVE_PHONE: ("{code} رمز نقل TikiWallet فورًا إلى رقم آخر. لست أنت؟ أوقفه:\n{link}"),
    Purpose.PHONE_CHANGED: "لمحفظتك في TikiWallet رقم جديد.",
    Purpose.PASSWORD_CHANGED: ("تغيّرت كلمة مرور TikiWallet. لست أنت؟ استردّ محفظتك في التطبيق."),
    Purpose.PIN_RESET: (
        "أُزيل رقم PIN الخاص بالدفع في TikiWallet. لست أنت؟ استردّ محفظتك في التطبيق."
    ),
    Purpose.CLOSED: "أُغلقت محفظتك في TikiWallet. يصبح رقمك متاحًا بعد 30 يومًا.",
}
