//! Commands and their arguments.

use redis::Cmd;

/// An argument of a command or a script.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a> {
    Bytes(&'a [u8]),
    Number(i64),
}

/// Makes a command.
pub fn command(name: &str, arguments: &[Argument<'_>]) -> Cmd {
    let mut command = redis::cmd(name);
    arguments.iter().for_each(|argument| append(&mut command, *argument));
    command
}

/// Appends an argument to a command.
pub fn append(command: &mut Cmd, argument: Argument<'_>) {
    match argument {
        Argument::Bytes(bytes) => command.arg(bytes),
        Argument::Number(number) => command.arg(number),
    };
}
