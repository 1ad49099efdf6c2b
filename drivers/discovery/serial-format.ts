import { formatText, type SerialFormat } from "../line/address.ts";

const PARITIES = { N: "none", E: "even", O: "odd" } as const;

/** Line settings as installers write them; Modbus RTU has eight data bits. */
export type FormatText = `${number} ${7 | 8}${keyof typeof PARITIES}${1 | 2}`;

export function formatFrom(text: FormatText): SerialFormat {
  const [baud = "", format = ""] = text.split(" ");
  const parity = format[1] === "E" ? "E" : format[1] === "O" ? "O" : "N";
  const dataBits = format[0] === "7" ? 7 : 8;
  return {
    baudRate: Number(baud),
    dataBits,
    parity: PARITIES[parity],
    stopBits: format[2] === "2" ? 2 : 1,
  };
}

export function sameFormat(a: SerialFormat, b: SerialFormat): boolean {
  return formatText(a) === formatText(b);
}
