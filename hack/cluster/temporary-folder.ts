/** Folders of servers that die with their process: what a killed process could not remove goes with the next one. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive, processStart } from './processes.ts'

const ownerFile = '.owner'

export async function temporaryFolder(prefix: string): Promise<string> {
  await removeAbandoned(prefix)
  const folder = await mkdtemp(join(tmpdir(), prefix))
  await writeFile(join(folder, ownerFile), `${process.pid} ${processStart(process.pid) ?? ''}`)
  return folder
}

async function removeAbandoned(prefix: string): Promise<void> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(prefix))
  await Promise.all(
    names.map(async (name) => {
      const folder = join(tmpdir(), name)
      // Without a readable owner it was created a moment ago, or it is not ours.
      const [pid, startedAt] = (await readFile(join(folder, ownerFile), 'utf8').catch(() => '')).split(' ')
      if (startedAt === undefined || isAlive({ pid: Number(pid), startedAt })) return
      await rm(folder, { recursive: true, force: true })
    }),
  )
}
