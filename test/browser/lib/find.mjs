// Finds a browser: the program that an environment variable names, else the first of some names in
// PATH. scripts/setup.sh installs one when this finds none.
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const runs = (path) => {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile(); // of a folder, too, X_OK holds
  } catch {
    return false;
  }
};

/** The path of a browser; a missing one is an error, never a skipped test. */
export function findBrowser(variable, names, hint) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const places = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = [process.env[variable], ...places].find((path) => path && runs(path));
  if (!found) throw new Error(`no ${names[0]} in PATH: ${hint}, or set ${variable} to its path`);
  return found;
}
