"""Notices in Simplified Chinese."""

from typing import Final

from tikiwallet.notify.notice_words.words import Words

UNKNOWN: Final = {"device": "未知设备", "address": "未知地址"}
WORDS: Final[dict[str, Words]] = {
    "signed_in": Words(
        "在 {device} 上有新的登录",
        "有人在 {device} 上登录了你的钱包，来源：{address}。如果不是你本人，请在“安全”中让"
        "该设备退出登录，并修改密码。",
    ),
    "refresh_reused": Words(
        "一次登录已被终止",
        "有人在 {device} 上使用了你登录状态的副本，因此该登录已被终止。如果你没有把数据转移"
        "到新手机，请修改密码。",
    ),
    "password_changed": Words(
        "密码已修改",
        "你的密码已在 {device} 上修改，所有其他登录均已终止。",
    ),
    "pin_set": Words(
        "支付密码已设置",
        "已在 {device} 上设置支付密码。如果不是你本人，请在“安全”中将其移除，并修改登录密码。",
    ),
    "pin_changed": Words(
        "支付密码已修改",
        "你的支付密码已在 {device} 上修改。",
    ),
    "pin_locked": Words(
        "支付密码已锁定",
        "在 {device} 上输错了五次支付密码。请在“安全”中验证是你本人，然后重新设置。",
    ),
    "pin_reset": Words(
        "支付密码已移除",
        "你的支付密码已在 {device} 上移除。一天内只能支付小额款项。",
    ),
    "pin_threshold_changed": Words(
        "支付密码限额已更改",
        "无需支付密码即可支付的金额已在 {device} 上更改。",
    ),
    "totp_on": Words(
        "已添加身份验证器应用",
        "已在 {device} 上设置。",
    ),
    "totp_off": Words(
        "已移除身份验证器应用",
        "已在 {device} 上移除。",
    ),
    "sms_factor_on": Words(
        "短信验证码已开启",
        "现在登录时需要短信验证码。",
    ),
    "sms_factor_off": Words(
        "短信验证码已关闭",
        "登录时不再需要短信验证码，此选择来自 {device}。",
    ),
    "passkey_added": Words(
        "已添加通行密钥",
        "在 {device} 上添加了一个通行密钥。",
    ),
    "passkey_removed": Words(
        "已移除通行密钥",
        "在 {device} 上移除了一个通行密钥。",
    ),
    "recovery_codes_made": Words(
        "新的恢复码",
        "以前的恢复码已失效。新的恢复码在 {device} 上生成。",
    ),
    "recovery_code_used": Words(
        "恢复码已使用",
        "有人在 {device} 上使用了你的一个恢复码。",
    ),
    "identity_linked": Words(
        "已关联登录账户",
        "现在另一个账户也可以登录你的钱包。在 {device} 上关联。",
    ),
    "identity_unlinked": Words(
        "已取消关联登录账户",
        "一个关联的账户不能再登录。在 {device} 上取消关联。",
    ),
    "recovery_begun": Words(
        "账户恢复已开始",
        "有人在 {device} 上恢复你的钱包，来源：{address}。等待时间结束后，对方可以设置新密"
        "码。如果不是你本人，请立即在“安全”中阻止。",
    ),
    "recovery_cancelled": Words(
        "账户恢复已阻止",
        "已在 {device} 上阻止，没有任何改变。",
    ),
    "recovery_completed": Words(
        "钱包已恢复",
        "已在 {device} 上设置新密码，所有其他登录均已终止。一天内只能支付小额款项。",
    ),
    "phone_change_asked": Words(
        "有人请求更换号码",
        "有人在 {device} 上请求将你的钱包换到尾号 {ends} 的号码。如果不是你本人，请在“安全”"
        "中取消，并修改密码。",
    ),
    "phone_change_begun": Words(
        "你的号码将会更换",
        "你的钱包将在 {hours} 小时后换到尾号 {ends} 的号码。如果你不希望这样，请在“安全”中取消。",
    ),
    "phone_change_cancelled": Words(
        "更换号码已取消",
        "你的号码保持不变。",
    ),
    "phone_change_failed": Words(
        "更换号码失败",
        "那个号码现在已有自己的钱包。你的号码保持不变。",
    ),
    "phone_changed": Words(
        "号码已更换",
        "你钱包的号码现在尾号为 {ends}。一天内只能支付小额款项。",
    ),
    "offline_device_added": Words(
        "已添加离线支付设备",
        "已在 {device} 上设置一台无需网络即可付款的设备。如果不是你本人，请停用该设备并修改密码。",
    ),
    "offline_device_revoked": Words(
        "已停用离线支付设备",
        "已在 {device} 上停用。该设备的付款不再被接受；剩余金额将退回你的钱包。",
    ),
    "offline_device_frozen": Words(
        "一台设备重复签名",
        "你的设备签署了两份互相矛盾的内容。手机从备份恢复，或密钥被复制时会这样。在有人查看之前，"
        "你的所有设备都不能再存入离线钱款，也不能添加新设备。在线付款照常。你付过款的人会收到钱，必要时从你的钱包支付。",
    ),
    "offline_device_thawed": Words(
        "离线支付设备已恢复",
        "已有人查看：若没有其他设备被停用，你的设备可以再次存入离线钱款。"
        "之前的凭证仍然作废；其中剩余金额将退回你的钱包。",
    ),
    "offline_debt_begun": Words(
        "你因离线付款有欠款",
        "你的一笔离线付款余额不足，或在收款后被你撤回。你欠 {amount}，钱包有钱入账时会自动扣除。"
        "还清之前，账户不能注销。",
    ),
    "offline_debt_paid": Words(
        "离线付款欠款已还清",
        "你欠的 {amount} 已从钱包扣除，这笔欠款已全部还清。",
    ),
    "offline_debt_ended": Words(
        "离线付款欠款已终止",
        "你欠的 {amount} 不再收取。",
    ),
    "exported": Words(
        "账户数据已导出",
        "有人在 {device} 上导出了你的全部数据，来源：{address}。",
    ),
}
