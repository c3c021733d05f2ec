// Words of signing in and up, the person, security, settings, help.
export default {
  "you.title": "You",
  "you.sign-out": "Sign out",
};
