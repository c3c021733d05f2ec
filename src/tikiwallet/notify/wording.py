"""The words of notices, in every language that the app speaks.

One table per language, with the same kinds in each (a test holds that). `{device}` and `{address}`
stand for where it happened, other names for what the event's detail holds.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Words(NamedTuple):
    """A notice in one language."""

    title: str
    text: str


_ENGLISH: Final[dict[str, Words]] = {
    "signed_in": Words(
        "New sign-in on {device}",
        "Someone signed in to your wallet on {device}, from {address}. If it was not you, end that "
        "session under Security and change your password.",
    ),
    "refresh_reused": Words(
        "A sign-in was ended",
        "A copy of one of your sign-ins was used on {device}, so that sign-in was ended. "
        "If you did not move your data to a new phone, change your password.",
    ),
    "password_changed": Words(
        "Password changed",
        "Your password was changed on {device}, and all other sign-ins were ended.",
    ),
    "pin_set": Words(
        "PIN set",
        "A payment PIN was set on {device}. If it was not you, reset it under Security and change "
        "your password.",
    ),
    "pin_changed": Words("PIN changed", "Your payment PIN was changed on {device}."),
    "pin_locked": Words(
        "PIN locked",
        "The PIN was wrong five times on {device}. Confirm who you are under Security to reset it.",
    ),
    "pin_reset": Words(
        "PIN reset",
        "Your payment PIN was removed on {device}. For a day only small sums can be paid.",
    ),
    "pin_threshold_changed": Words(
        "PIN limit changed",
        "The sum that can be paid without your PIN was changed on {device}.",
    ),
    "totp_on": Words("Authenticator app added", "It was set up on {device}."),
    "totp_off": Words("Authenticator app removed", "It was removed on {device}."),
    "sms_factor_on": Words("Codes by SMS on", "Signing in now asks for a code by SMS."),
    "sms_factor_off": Words(
        "Codes by SMS off", "Signing in no longer asks for a code by SMS, as chosen on {device}."
    ),
    "passkey_added": Words("Passkey added", "A passkey was added on {device}."),
    "passkey_removed": Words("Passkey removed", "A passkey was removed on {device}."),
    "recovery_codes_made": Words(
        "New recovery codes", "The former recovery codes no longer work. Made on {device}."
    ),
    "recovery_code_used": Words(
        "Recovery code used", "One of your recovery codes was used on {device}."
    ),
    "identity_linked": Words(
        "Sign-in linked", "Another account can now sign in to your wallet. Linked on {device}."
    ),
    "identity_unlinked": Words(
        "Sign-in unlinked", "A linked account can no longer sign in. Unlinked on {device}."
    ),
    "recovery_begun": Words(
        "Recovery begun",
        "Someone on {device}, at {address}, is recovering your wallet and can set a new password "
        "when the waiting time is over. If it is not you, stop it under Security now.",
    ),
    "recovery_cancelled": Words(
        "Recovery stopped", "It was stopped on {device}; nothing has changed."
    ),
    "recovery_completed": Words(
        "Wallet recovered",
        "A new password was set on {device} and all other sign-ins were ended. For a day only "
        "small sums can be paid.",
    ),
    "phone_change_asked": Words(
        "Change of number asked for",
        "On {device} someone asked to move your wallet to a number ending in {ends}. If it was not "
        "you, cancel it under Security and change your password.",
    ),
    "phone_change_begun": Words(
        "Your number will change",
        "Your wallet moves to the number ending in {ends} in {hours} hours. If you do not want "
        "that, cancel it under Security.",
    ),
    "phone_change_cancelled": Words("Change of number cancelled", "Your number stays as it is."),
    "phone_change_failed": Words(
        "Change of number failed", "That number has a wallet of its own by now. Yours stays."
    ),
    "phone_changed": Words(
        "Number changed",
        "Your wallet's number now ends in {ends}. For a day only small sums can be paid.",
    ),
    "exported": Words(
        "Account exported", "A copy of all your data was made on {device}, from {address}."
    ),
}

_ARABIC: Final[dict[str, Words]] = {
    "signed_in": Words(
        "تسجيل دخول جديد على {device}",
        "سجّل شخص ما الدخول إلى محفظتك على {device} من {address}. إن لم تكن أنت، فأنهِ تلك الجلسة من "
        "«الأمان» وغيّر كلمة المرور.",
    ),
    "refresh_reused": Words(
        "تم إنهاء جلسة",
        "استُخدمت نسخة من إحدى جلساتك على {device}، فأُنهيت تلك الجلسة. إن لم تنقل بياناتك "
        "إلى هاتف جديد، فغيّر كلمة المرور.",
    ),
    "password_changed": Words(
        "تغيّرت كلمة المرور", "غُيّرت كلمة المرور على {device}، وأُنهيت كل الجلسات الأخرى."
    ),
    "pin_set": Words(
        "عُيّن رقم PIN",
        "عُيّن رقم PIN للدفع على {device}. إن لم تكن أنت، فأعد تعيينه من «الأمان» وغيّر كلمة المرور.",
    ),
    "pin_changed": Words("تغيّر رقم PIN", "غُيّر رقم PIN الخاص بالدفع على {device}."),
    "pin_locked": Words(
        "رقم PIN مقفل",
        "أُدخل رقم PIN خطأً خمس مرات على {device}. أكّد هويتك من «الأمان» لإعادة تعيينه.",
    ),
    "pin_reset": Words(
        "أُعيد تعيين رقم PIN",
        "أُزيل رقم PIN الخاص بالدفع على {device}. لمدة يوم لا يمكن دفع إلا مبالغ صغيرة.",
    ),
    "pin_threshold_changed": Words(
        "تغيّر حد رقم PIN", "غُيّر المبلغ الذي يمكن دفعه دون رقم PIN على {device}."
    ),
    "totp_on": Words("أُضيف تطبيق المصادقة", "أُعدّ على {device}."),
    "totp_off": Words("أُزيل تطبيق المصادقة", "أُزيل على {device}."),
    "sms_factor_on": Words("رموز SMS مفعّلة", "يتطلب تسجيل الدخول الآن رمزًا عبر SMS."),
    "sms_factor_off": Words(
        "رموز SMS معطّلة", "لم يعد تسجيل الدخول يطلب رمزًا عبر SMS، كما اختير على {device}."
    ),
    "passkey_added": Words("أُضيف مفتاح مرور", "أُضيف مفتاح مرور على {device}."),
    "passkey_removed": Words("أُزيل مفتاح مرور", "أُزيل مفتاح مرور على {device}."),
    "recovery_codes_made": Words(
        "رموز استرداد جديدة", "لم تعد رموز الاسترداد السابقة صالحة. أُنشئت على {device}."
    ),
    "recovery_code_used": Words(
        "استُخدم رمز استرداد", "استُخدم أحد رموز الاسترداد الخاصة بك على {device}."
    ),
    "identity_linked": Words(
        "رُبط حساب للدخول", "يمكن الآن لحساب آخر تسجيل الدخول إلى محفظتك. رُبط على {device}."
    ),
    "identity_unlinked": Words(
        "أُلغي ربط حساب", "لم يعد بإمكان حساب مرتبط تسجيل الدخول. أُلغي الربط على {device}."
    ),
    "recovery_begun": Words(
        "بدأ استرداد المحفظة",
        "يسترد شخص على {device} عند {address} محفظتك، ويمكنه تعيين كلمة مرور جديدة عند انتهاء مدة "
        "الانتظار. إن لم تكن أنت، فأوقف ذلك الآن من «الأمان».",
    ),
    "recovery_cancelled": Words("أُلغي الاسترداد", "أُلغي على {device}، ولم يتغير شيء."),
    "recovery_completed": Words(
        "استُردّت المحفظة",
        "عُيّنت كلمة مرور جديدة على {device} وأُنهيت كل الجلسات الأخرى. لمدة يوم لا يمكن دفع إلا "
        "مبالغ صغيرة.",
    ),
    "phone_change_asked": Words(
        "طُلب تغيير الرقم",
        "طلب شخص على {device} نقل محفظتك إلى رقم ينتهي بـ {ends}. إن لم تكن أنت، فألغِ ذلك من "
        "«الأمان» وغيّر كلمة المرور.",
    ),
    "phone_change_begun": Words(
        "سيتغيّر رقمك",
        "تنتقل محفظتك إلى الرقم المنتهي بـ {ends} بعد {hours} ساعة. إن كنت لا تريد ذلك، فألغِه من "
        "«الأمان».",
    ),
    "phone_change_cancelled": Words("أُلغي تغيير الرقم", "يبقى رقمك كما هو."),
    "phone_change_failed": Words(
        "فشل تغيير الرقم", "صار لذلك الرقم محفظة خاصة به. يبقى رقمك كما هو."
    ),
    "phone_changed": Words(
        "تغيّر الرقم", "ينتهي رقم محفظتك الآن بـ {ends}. لمدة يوم لا يمكن دفع إلا مبالغ صغيرة."
    ),
    "exported": Words("صُدّر الحساب", "أُنشئت نسخة من كل بياناتك على {device} من {address}."),
}

LANGUAGES: Final[dict[str, dict[str, Words]]] = {"en": _ENGLISH, "ar": _ARABIC}
_UNKNOWN: Final = {
    "en": {"device": "an unknown device", "address": "an unknown address"},
    "ar": {"device": "جهاز غير معروف", "address": "عنوان غير معروف"},
}
# Latin words and digits inside right-to-left text keep their own order between these two.
_ISOLATED: Final = {"en": "{}", "ar": "\u2068{}\u2069"}


def words(kind: str, facts: Mapping[str, object], language: str) -> Words:
    """A notice of this kind in `language`, or in English where it is not spoken. Facts that are
    missing are said to be unknown; a kind from a newer release is told by its name."""
    spoken = language if language in LANGUAGES else "en"
    found = LANGUAGES[spoken].get(kind)
    if found is None:
        return Words(kind.replace("_", " ").capitalize(), "")
    given = _Facts(
        {
            **_UNKNOWN[spoken],
            **{
                name: _ISOLATED[spoken].format(value)
                for name, value in facts.items()
                if value is not None
            },
        }
    )
    return Words(found.title.format_map(given), found.text.format_map(given))


class _Facts(dict[str, str]):
    def __missing__(self, _name: str) -> str:
        return "…"
