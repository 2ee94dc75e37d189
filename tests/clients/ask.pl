# HTTP::Tiny, which comes with Perl.
use strict;
use warnings;
use HTTP::Tiny;

my ($base, @files) = @ARGV;
my ($row, $many) = map { local (@ARGV, $/) = $_; <> } @files;
my $client = HTTP::Tiny->new;

sub ask {
    my ($name, $method, $path, %options) = @_;
    my $answer = $client->request($method, "$base$path", \%options);
    my $body = $answer->{content} // '';
    print "$name\t$answer->{status}\t$body\n";
}

my $path = '/predict/mc?seed=42&passes=100';
my %json = ('Content-Type' => 'application/json');
ask('row', 'POST', $path, headers => {%json}, content => $row) for 1 .. 2;
ask('row', 'POST', $path, headers => {%json, 'Accept-Encoding' => 'gzip'}, content => $row);
my @parts = ($row);
ask('row', 'POST', $path, headers => {%json}, content => sub { shift @parts });
ask('many', 'POST', $path, headers => {%json}, content => $many);
ask('head', 'HEAD', '/health/live');
