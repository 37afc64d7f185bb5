/**
 * Returns a whole number from 0 to 2^32 - 1 that depends on the text alone: FNV-1a, then the finalizer of MurmurHash3, so that texts which
 * differ in one character are spread as well as others. The same in each version, because slots follow from it. For ASCII texts.
 */
export function hashText(text: string): number {
  let hash = 0x81_1c_9d_c5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01_00_01_93)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2_b2_ae_35)
  return (hash ^ (hash >>> 16)) >>> 0
}
