// The build sets a global; importing the file is what runs it.
declare global {
  var SimpleWebAuthnBrowser: typeof import("@simplewebauthn/browser");
}
export {};
