//! Tokens to statements, and what operators do.

use super::CodeError;
use super::lexer::{self, Token};
use super::value::{self, Value};

/// How deep terms may nest.
const DEPTH_MAX: usize = 64;

pub(super) enum Statement {
    Assert { test: Term, message: Option<Term>, text: String },
    Assign { name: String, operator: Option<Operator>, value: Term },
    Expression(Term),
}

pub(super) enum Term {
    Constant(Value),
    Name(String),
    Tuple(Vec<Term>),
    Not(Box<Term>),
    Negate(Box<Term>),
    Invert(Box<Term>),
    And(Box<Term>, Box<Term>),
    Or(Box<Term>, Box<Term>),
    Binary(Operator, Box<Term>, Box<Term>),
    Compare(Box<Term>, Vec<(Comparison, Term)>),
    Call(String, Vec<Term>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Operator {
    Or,
    Xor,
    And,
    Left,
    Right,
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Binary operators by how tight they bind, loosest first.
const LEVELS: &[&[(&str, Operator)]] = &[
    &[("|", Operator::Or)],
    &[("^", Operator::Xor)],
    &[("&", Operator::And)],
    &[("<<", Operator::Left), (">>", Operator::Right)],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[
        ("*", Operator::Multiply),
        ("/", Operator::Divide),
        ("//", Operator::FloorDivide),
        ("%", Operator::Modulo),
    ],
];

const COMPARISONS: &[(&str, Comparison)] = &[
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

const ASSIGNMENTS: &[(&str, Option<Operator>)] = &[
    ("=", None),
    ("+=", Some(Operator::Add)),
    ("-=", Some(Operator::Subtract)),
    ("*=", Some(Operator::Multiply)),
    ("//=", Some(Operator::FloorDivide)),
    ("%=", Some(Operator::Modulo)),
    ("|=", Some(Operator::Or)),
    ("&=", Some(Operator::And)),
];

impl Operator {
    pub(super) fn apply(self, left: &Value, right: &Value) -> Result<Value, CodeError> {
        if let (Self::Modulo, Value::Text(text)) = (self, left) {
            return Ok(Value::Text(value::format(text, right)));
        }
        let wrong = || CodeError::Invalid(format!("{left} {self:?} {right} has no value"));
        if let (Value::Integer(a), Value::Integer(b)) = (left, right)
            && self != Self::Divide
        {
            return self.integers(*a, *b).map(Value::Integer).ok_or_else(wrong);
        }
        let (Some(a), Some(b)) = (left.float(), right.float()) else { return Err(wrong()) };
        Ok(Value::Float(match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide if b != 0.0 => a / b,
            Self::FloorDivide if b != 0.0 => (a / b).floor(),
            Self::Power => a.powf(b),
            _ => return Err(wrong()),
        }))
    }

    fn integers(self, a: i128, b: i128) -> Option<i128> {
        let places = u32::try_from(b).ok().filter(|places| *places < 100);
        match self {
            Self::Or => Some(a | b),
            Self::Xor => Some(a ^ b),
            Self::And => Some(a & b),
            Self::Left => a.checked_mul(1_i128.checked_shl(places?)?),
            Self::Right => a.checked_shr(places?),
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
            Self::Multiply => a.checked_mul(b),
            Self::Divide => None,
            // Python rounds towards minus infinity; for the positive numbers here that is the same.
            Self::FloorDivide => a.checked_div_euclid(b),
            Self::Modulo => a.checked_rem_euclid(b),
            Self::Power => a.checked_pow(places?),
        }
    }
}

impl Comparison {
    pub(super) fn holds(self, left: &Value, right: &Value) -> Result<bool, CodeError> {
        let order = match (left, right) {
            (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
            (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
            _ => match (left.float(), right.float()) {
                (Some(a), Some(b)) => a.partial_cmp(&b),
                _ => None,
            },
        };
        let wrong = || CodeError::Invalid(format!("{left} and {right} cannot be compared"));
        let order = order.ok_or_else(wrong)?;
        Ok(match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        })
    }
}

pub(super) fn statements(code: &str) -> Result<Vec<Statement>, CodeError> {
    let tokens = lexer::tokens(code)?;
    let mut parser = Parser { code, tokens: &tokens, at: 0 };
    let mut out = Vec::new();
    loop {
        while parser.peek() == Some(&Token::Stop) {
            parser.at += 1;
        }
        if parser.peek().is_none() {
            return Ok(out);
        }
        out.push(parser.statement()?);
        match parser.peek() {
            None | Some(Token::Stop) => {}
            Some(_) => return parser.wrong("the end of a statement"),
        }
    }
}

struct Parser<'a> {
    code: &'a str,
    tokens: &'a [(Token, usize)],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(self.code.len(), |(_, place)| *place)
    }

    fn wrong<T>(&self, wanted: &str) -> Result<T, CodeError> {
        let line = self.code[self.place()..].lines().next().unwrap_or("");
        Err(CodeError::Invalid(format!("expected {wanted} before '{line}'")))
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(found);
        found
    }

    fn take_name(&mut self, name: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(n)) if n == name);
        self.at += usize::from(found);
        found
    }

    fn statement(&mut self) -> Result<Statement, CodeError> {
        if self.take_name("assert") {
            let start = self.place();
            let test = self.term(0)?;
            let text = self.code[start..self.place()].trim().to_owned();
            let message = if self.take(",") { Some(self.term(0)?) } else { None };
            return Ok(Statement::Assert { test, message, text });
        }
        if let Some(Token::Name(name)) = self.peek()
            && let Some((Token::Sign(sign), _)) = self.tokens.get(self.at + 1)
            && let Some((_, operator)) = ASSIGNMENTS.iter().find(|(text, _)| text == sign)
        {
            self.at += 2;
            let value = self.term(0)?;
            return Ok(Statement::Assign { name: name.clone(), operator: *operator, value });
        }
        Ok(Statement::Expression(self.term(0)?))
    }

    fn term(&mut self, depth: usize) -> Result<Term, CodeError> {
        if depth > DEPTH_MAX {
            return self.wrong("a term that nests less deep");
        }
        let mut left = self.conjunction(depth)?;
        while self.take_name("or") {
            left = Term::Or(Box::new(left), Box::new(self.conjunction(depth)?));
        }
        Ok(left)
    }

    fn conjunction(&mut self, depth: usize) -> Result<Term, CodeError> {
        let mut left = self.negation(depth)?;
        while self.take_name("and") {
            left = Term::And(Box::new(left), Box::new(self.negation(depth)?));
        }
        Ok(left)
    }

    fn negation(&mut self, depth: usize) -> Result<Term, CodeError> {
        if depth > DEPTH_MAX {
            return self.wrong("a term that nests less deep");
        }
        if self.take_name("not") {
            return Ok(Term::Not(Box::new(self.negation(depth + 1)?)));
        }
        let first = self.binary(0, depth)?;
        let mut rest = Vec::new();
        while let Some(Token::Sign(sign)) = self.peek()
            && let Some((_, comparison)) = COMPARISONS.iter().find(|(text, _)| text == sign)
        {
            self.at += 1;
            rest.push((*comparison, self.binary(0, depth)?));
        }
        if rest.is_empty() { Ok(first) } else { Ok(Term::Compare(Box::new(first), rest)) }
    }

    fn binary(&mut self, level: usize, depth: usize) -> Result<Term, CodeError> {
        let Some(operators) = LEVELS.get(level) else { return self.unary(depth) };
        let mut left = self.binary(level + 1, depth)?;
        while let Some(Token::Sign(sign)) = self.peek()
            && let Some((_, operator)) = operators.iter().find(|(text, _)| text == sign)
        {
            self.at += 1;
            let right = self.binary(level + 1, depth)?;
            left = Term::Binary(*operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self, depth: usize) -> Result<Term, CodeError> {
        if depth > DEPTH_MAX {
            return self.wrong("a term that nests less deep");
        }
        if self.take("-") {
            return Ok(Term::Negate(Box::new(self.unary(depth + 1)?)));
        }
        if self.take("~") {
            return Ok(Term::Invert(Box::new(self.unary(depth + 1)?)));
        }
        let base = self.primary(depth)?;
        if self.take("**") {
            let exponent = self.unary(depth + 1)?;
            return Ok(Term::Binary(Operator::Power, Box::new(base), Box::new(exponent)));
        }
        Ok(base)
    }

    fn primary(&mut self, depth: usize) -> Result<Term, CodeError> {
        let Some(token) = self.peek() else { return self.wrong("a value") };
        let term = match token {
            Token::Integer(n) => Term::Constant(Value::Integer(*n)),
            Token::Float(x) => Term::Constant(Value::Float(*x)),
            Token::Text(text) => Term::Constant(Value::Text(text.clone())),
            Token::Name(name) if name == "True" => Term::Constant(Value::from(true)),
            Token::Name(name) if name == "False" => Term::Constant(Value::from(false)),
            Token::Name(name) => {
                self.at += 1;
                if self.take("(") {
                    return Ok(Term::Call(name.clone(), self.arguments(depth)?));
                }
                return Ok(Term::Name(name.clone()));
            }
            Token::Sign("(") => {
                self.at += 1;
                let mut terms = self.arguments(depth)?;
                let single = terms.len() == 1;
                return Ok(if single { terms.remove(0) } else { Term::Tuple(terms) });
            }
            _ => return self.wrong("a value"),
        };
        self.at += 1;
        Ok(term)
    }

    /// Terms with commas between them, up to and with the closing parenthesis.
    fn arguments(&mut self, depth: usize) -> Result<Vec<Term>, CodeError> {
        let mut out = Vec::new();
        while !self.take(")") {
            out.push(self.term(depth + 1)?);
            if !self.take(",") && !matches!(self.peek(), Some(Token::Sign(")"))) {
                return self.wrong("',' or ')'");
            }
        }
        Ok(out)
    }
}
