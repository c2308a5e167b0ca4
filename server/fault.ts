import { ConfigError } from './config.ts'
import { driverCode } from './db/database.ts'
import { AppError } from './error.ts'

type Errno = NodeJS.ErrnoException & { address?: string; port?: number }

/**
 * What stopped the process, as one line for whoever has to mend it: what is wrong and what to do. Undefined for what nobody foresaw.
 * Never holds a secret, such as the password in DATABASE_URL.
 */
export function describeFault(error: unknown): string | undefined {
  if (error instanceof ConfigError) return error.message
  if (error instanceof AppError) {
    if (error.code === 'server_error') return undefined
    const cause = error.code === 'unavailable' ? describeFault(error.cause) : undefined
    return cause ?? [error.message, ...(error.errors ?? []).map(({ path, message }) => `${path} ${message}`)].join('; ')
  }
  const code = driverCode(error)
  const errno = error as Errno
  if (errno?.syscall === 'listen') return listening(errno)
  return database(code, errno) ?? file(code, errno)
}

function listening({ code, address, port }: Errno): string | undefined {
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} on ${address} is in use; stop what uses it, or set PORT to another`
    case 'EACCES':
      return `Port ${port} may not be opened by this user; set PORT to 1024 or above`
    default:
      return undefined
  }
}

function database(code: string | undefined, error: Errno): string | undefined {
  switch (code?.startsWith('SQLITE_') ? code.split('_').slice(0, 2).join('_') : code) {
    case 'SQLITE_NOTADB':
      return 'The file that DATABASE_URL names is not an SQLite database; name another, or move it away'
    case 'SQLITE_CORRUPT':
      return 'The database file is damaged; stop Gatehouse, keep a copy of the file, and restore a backup (gatehouse restore FILE)'
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_READONLY':
    case 'SQLITE_PERM':
      return 'The database file cannot be opened for writing; check who owns the file and its directory, and their modes'
    case 'SQLITE_FULL':
      return 'The disk is full; make room and start again'
    case 'SQLITE_IOERR':
      return 'The disk reported an error while the database was read or written; check the disk'
    case 'SQLITE_BUSY':
    case '55P03':
      return 'Another process keeps the database locked; stop it, or wait until it is done'
    case 'ECONNREFUSED':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ECONNRESET':
      return `The database server cannot be reached (${code}); check the host and port in DATABASE_URL, and that it is running`
    case '28P01':
    case '28000':
      return 'The database server refused the user or the password in DATABASE_URL'
    case '3D000':
      return 'The database that DATABASE_URL names does not exist on that server; create it first'
    case '42501':
      return 'The database user in DATABASE_URL lacks a right: it must own the database, or be granted CREATE on it'
    case '53300':
      return 'The database server has no connection left; raise max_connections or stop other clients'
    case '57P03':
      return 'The database server is starting up or shutting down; try again in a moment'
    default:
      return /timeout expired|Connection terminated/.test(error?.message ?? '')
        ? 'The database server does not answer; check the host and port in DATABASE_URL'
        : undefined
  }
}

function file(code: string | undefined, { path }: Errno): string | undefined {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `${path} cannot be used by this user; check who owns it and its mode, or set GATEHOUSE_DATA_DIR`
    case 'ENOSPC':
      return 'The disk is full; make room and start again'
    case 'ENOTDIR':
    case 'EEXIST':
    case 'EISDIR':
      return `${path} stands in the way: a directory is where a file should be, or the other way round`
    case 'ENOENT':
      return `${path} does not exist`
    default:
      return undefined
  }
}
