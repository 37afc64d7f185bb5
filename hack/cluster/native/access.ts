/** The administrator's access to the native cluster, from the files of its authority. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ApiAccess } from '../api-request.ts'
import { ports } from './layout.ts'
import type { Layout } from './layout.ts'

export async function adminAccess(at: Layout): Promise<ApiAccess> {
  const [ca, cert, key] = await Promise.all(['ca.crt', 'admin.crt', 'admin.key'].map((name) => readFile(join(at.pki, name), 'utf8')))
  return { server: `https://127.0.0.1:${ports.api}`, ca: ca ?? '', cert: cert ?? '', key: key ?? '' }
}
