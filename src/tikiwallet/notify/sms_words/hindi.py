"""Text messages in Hindi."""

from typing import Final

from tikiwallet.identity.codes import Purpose

TEXTS: Final[dict[Purpose, str]] = {
    Purpose.REGISTER: "{code} आपका TikiWallet कोड है, 5 मिनट मान्य। किसी को न बताएँ।",
    Purpose.SECOND_FACTOR: ("{code} TikiWallet साइन इन कोड, 5 मिनट मान्य। आप नहीं? पासवर्ड बदलें।"),
    Purpose.STEP_UP: ("{code} TikiWallet सुरक्षा बदलाव कोड, 5 मिनट। आप नहीं? पासवर्ड बदलें।"),
    Purpose.ALREADY_REGISTERED: (
        "किसी ने आपके नंबर से TikiWallet में रजिस्टर करना चाहा। आपका वॉलेट पहले से है: पासवर्ड से "
        "साइन इन करें। यह आप नहीं थे, तो कुछ न करें।"
    ),
    Purpose.RECOVER: ("{code} TikiWallet रिकवरी कोड, 5 मिनट मान्य। किसी को न बताएँ।"),
    Purpose.RECOVER_UNKNOWN: (
        "किसी ने आपके नंबर से TikiWallet रिकवर करना चाहा, पर इस नंबर पर वॉलेट नहीं है। यह आप नहीं "
        "थे, तो कुछ न करें।"
    ),
    Purpose.RECOVERY_BEGUN: "आपके TikiWallet की रिकवरी शुरू हुई। आप नहीं? रोकें: {link}",
    Purpose.RECOVERED: ("आपका TikiWallet रिकवर हुआ: पासवर्ड नया है, और बाकी सभी साइन इन खत्म किए गए।"),
    Purpose.CHANGE_PHONE: ("{code} इस नंबर का TikiWallet कोड है, 5 मिनट मान्य। किसी को न बताएँ।"),
    Purpose.CHANGE_PHONE_TAKEN: (
        "किसी ने अपना TikiWallet आपके नंबर पर लाना चाहा, जिस पर पहले से वॉलेट है। यह आप नहीं थे, तो कुछ न करें।"
    ),
    Purpose.LEAVE_PHONE: ("{code} TikiWallet का नंबर तुरंत बदलने का कोड। आप नहीं? रोकें: {link}"),
    Purpose.PHONE_CHANGED: "आपके TikiWallet का नंबर बदल गया है।",
    Purpose.PASSWORD_CHANGED: ("आपके TikiWallet का पासवर्ड बदला गया। आप नहीं? ऐप में वॉलेट रिकवर करें।"),
    Purpose.PIN_RESET: ("आपके TikiWallet का भुगतान पिन हटाया गया। आप नहीं? ऐप में वॉलेट रिकवर करें।"),
    Purpose.CLOSED: "आपका TikiWallet बंद हो गया। आपका नंबर 30 दिन बाद फिर उपलब्ध होगा।",
}
