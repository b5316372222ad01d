// Words, numbers and times as people of this language and of this site's time zone read them.

const DASH = "–";
let words = {};
let formats = {};

export function speak({ lang, timezone, words: given }) {
  const locale = lang === "fr" ? "fr-FR" : "en-GB";
  const at = (options) => new Intl.DateTimeFormat(locale, { timeZone: timezone, ...options });
  words = given;
  formats = {
    whole: new Intl.NumberFormat(locale),
    percent: new Intl.NumberFormat(locale, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }),
    limit: new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }),
    list: new Intl.ListFormat(locale),
    plural: new Intl.PluralRules(locale),
    clock: at({ hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    minute: at({ hour: "2-digit", minute: "2-digit" }),
    day: at({ weekday: "long", day: "numeric", month: "long" }),
  };
}

/** Return the text of a key, `{name}` replaced by the value of that name. */
export function t(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** Return the text of `key_one` or `key_other`, whichever this count takes. */
export function counted(key, count, values = {}) {
  const form = formats.plural.select(count) === "one" ? "one" : "other";
  return t(`${key}_${form}`, { count: whole(count), ...values });
}

export const has = (key) => key in words;
export const whole = (value) => (value == null ? DASH : formats.whole.format(value));
export const percent = (share) => (share == null ? DASH : formats.percent.format(share));
export const limit = (share) => formats.limit.format(share);
export const list = (names) => formats.list.format(names);

const moment = (format) => (seconds) => (seconds == null ? DASH : formats[format].format(seconds * 1000));
export const clock = moment("clock");
export const minute = moment("minute");
export const day = moment("day");

/** Return minutes and seconds, and hours where there are any: 4:07, 1:04:07. */
export function duration(seconds) {
  const total = Math.floor(Math.abs(seconds));
  const parts = [Math.floor(total / 60) % 60, total % 60].map((part) => String(part).padStart(2, "0"));
  const hours = Math.floor(total / 3600);
  const said = hours ? `${hours}:${parts.join(":")}` : parts.join(":").replace(/^0/, "");
  return seconds < 0 ? `−${said}` : said;
}
