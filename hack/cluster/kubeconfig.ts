/** A kubeconfig with everything inside it, so that it can be copied or mounted as one file. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import type { KeyPair } from './pki.ts'

export type KubeconfigOptions = {
  readonly name: string
  readonly server: string
  readonly authority: KeyPair
  readonly client: KeyPair
}

export async function writeKubeconfig(file: string, { name, server, authority, client }: KubeconfigOptions): Promise<string> {
  const [ca, cert, key] = await Promise.all([authority.cert, client.cert, client.key].map((path) => readFile(path, 'base64')))
  const text = `apiVersion: v1
kind: Config
current-context: ${name}
clusters:
  - name: ${name}
    cluster:
      server: ${server}
      certificate-authority-data: ${ca}
users:
  - name: ${name}
    user:
      client-certificate-data: ${cert}
      client-key-data: ${key}
contexts:
  - name: ${name}
    context:
      cluster: ${name}
      user: ${name}
      namespace: default
`
  await writeFile(`${file}.tmp`, text, { mode: 0o600 })
  await rename(`${file}.tmp`, file)
  return file
}
