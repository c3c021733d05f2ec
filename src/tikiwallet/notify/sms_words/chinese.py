"""Text messages in Chinese, in simplified letters."""

from typing import Final

from tikiwallet.identity.codes import Purpose

TEXTS: Final[dict[Purpose, str]] = {
    Purpose.REGISTER: (
        "{code} 是你的 TikiWallet 验证码，5 分钟内有效。我们绝不会通过电话或聊天索要。"
    ),
    Purpose.SECOND_FACTOR: (
        "{code} 是你的 TikiWallet 登录验证码，5 分钟内有效。不是你在登录？"
        "有人知道你的密码，请修改。"
    ),
    Purpose.STEP_UP: (
        "{code} 是更改 TikiWallet 安全设置的验证码，5 分钟内有效。不是你？请在“安全”中终止该登录。"
    ),
    Purpose.ALREADY_REGISTERED: (
        "有人试图用你的号码注册 TikiWallet。你已经有钱包：请用密码登录。如果不是你，不用理会。"
    ),
    Purpose.RECOVER: (
        "{code} 是恢复 TikiWallet 钱包的验证码，5 分钟内有效。得到它就能拿走钱包，切勿告诉任何人。"
    ),
    Purpose.RECOVER_UNKNOWN: (
        "有人试图用你的号码恢复 TikiWallet 钱包，但此号码没有钱包。如果不是你，不用理会。"
    ),
    Purpose.RECOVERY_BEGUN: "你的 TikiWallet 钱包已开始恢复。不是你？请阻止： {link}",
    Purpose.RECOVERED: "你的 TikiWallet 钱包已恢复：密码已更新，所有其他登录均已终止。",
    Purpose.CHANGE_PHONE: (
        "{code} 用于确认你的 TikiWallet 新号码，5 分钟内有效。我们绝不会通过电话或聊天索要。"
    ),
    Purpose.CHANGE_PHONE_TAKEN: (
        "有人试图把 TikiWallet 钱包转到你的号码，但你的号码已有钱包。如果不是你，不用理会。"
    ),
    Purpose.LEAVE_PHONE: (
        "{code} 可让你的 TikiWallet 钱包立即转到另一个号码，5 分钟内有效。不是你？请阻止： {link}"
    ),
    Purpose.PHONE_CHANGED: "你的 TikiWallet 钱包已更换号码。",
    Purpose.PASSWORD_CHANGED: "你的 TikiWallet 密码已修改。不是你？请在应用中恢复钱包。",
    Purpose.PIN_RESET: "你的 TikiWallet 支付密码已移除。不是你？请在应用中恢复钱包。",
    Purpose.CLOSED: "你的 TikiWallet 账户已注销。30 天后，你的号码可重新使用。",
}
