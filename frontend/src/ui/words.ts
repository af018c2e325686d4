/** A line of the server as a sentence: "name holds control characters" → "Name holds control characters."; names of files stay. */
export function sentence(line: string): string {
  const text = line.trim();
  const begins = /^\p{Ll}[\p{L}-]*(?=$|[\s,:;])/u.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?…:”]$/u.test(begins) || begins === "" ? begins : `${begins}.`;
}
